export default () => {
  const url = new URL("../b?x=1&y=ü#top", "https://user:pass@例え.jp:8080/a/c");
  url.searchParams.append("z", "a b");
  console.log(url.href);
  console.log(url.origin, url.hostname, url.port, url.pathname, url.hash, url.username);
  console.log(URL.canParse("no url"), URL.parse("https://example.com").host);

  const params = new URLSearchParams({ q: "a&b", lang: "ja" });
  params.append("q", "c");
  params.sort();
  console.log(String(params), params.getAll("q"), params.size, [...params.keys()]);

  const pattern = new URLPattern({ pathname: "/users/:id" });
  console.log(pattern.test("https://example.com/users/7"), pattern.exec("https://example.com/users/7").pathname.groups);
  try {
    new URL("no url");
  } catch (error) {
    console.log(error.name, error.message);
  }
};
