// ids and names combine with AND. What matches nothing is left out, what comes twice is listed once, in creation order.
export default async () => {
  const idp = new tailor.idp.Client("builtin-idp");
  const id = {};
  for (const who of ["ana", "bo", "cy", "di"]) {
    id[who] = (await idp.createUser({ name: `${who}@example.com` })).id;
  }
  const queries = {
    none: {},
    oneId: { ids: [id.bo] },
    oneName: { names: ["cy@example.com"] },
    idsInAnyOrder: { ids: [id.di, id.ana, id.cy] },
    namesInAnyOrder: { names: ["di@example.com", "ana@example.com"] },
    namesInAnyCase: { names: ["ANA@example.com", "Bo@Example.Com"] },
    duplicates: { ids: [id.bo, id.bo, id.ana, id.bo], names: ["bo@example.com", "BO@example.com"] },
    both: { ids: [id.ana, id.bo], names: ["bo@example.com", "cy@example.com"] },
    bothButNobody: { ids: [id.ana], names: ["bo@example.com"] },
    unknownIds: { ids: ["ghost", id.cy, "", "00000000-0000-7000-8000-000000000000"] },
    unknownNames: { names: ["ghost@example.com", "", "no address", "ana@example.com "] },
    aNameAsId: { ids: ["ana@example.com"] },
    wildcards: { names: ["%", "*", "ana%", "_______________"] },
    emptyIds: { ids: [] },
    emptyNames: { names: [] },
    emptyIdsAndAName: { ids: [], names: ["ana@example.com"] },
    anIdAndEmptyNames: { ids: [id.ana], names: [] },
    bothEmpty: { ids: [], names: [] },
  };
  const result = {};
  for (const [key, query] of Object.entries(queries)) {
    const { users, nextPageToken, totalCount } = await idp.users({ query });
    result[key] = `${totalCount}: ${users.map((user) => user.name.split("@")[0])} ${nextPageToken ?? ""}`.trim();
  }
  return result;
};
