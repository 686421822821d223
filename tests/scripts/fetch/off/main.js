// Without a host that is allowed, nothing is fetched, and the text says how to allow one.
export default async () => {
  const told = [];
  for (const url of ["https://example.com/", "http://127.0.0.1/", "data:,text", "file:///etc/passwd"]) {
    told.push(await fetch(url).then(String, String));
  }
  const source = new EventSource("https://example.com/");
  told.push(await new Promise((resolve) => { source.onerror = ({ type }) => resolve(type); }));
  source.close();
  const blob = URL.createObjectURL(new Blob(["of the script's own"]));
  told.push(await (await fetch(blob)).text());
  return [...new Set(told)];
};
