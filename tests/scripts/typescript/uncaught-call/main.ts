type Id = string;


export default async (): Promise<void> => {
  const id: Id = "ghost";
  await new tailor.idp.Client({ namespace: "builtin-idp" }).user(id as string);
};
