// The classes around fetch work where fetch is off.
export default async () => {
  const form = new FormData();
  form.append("name", "Ana");
  form.append("file", new File(["content"], "a.txt", { type: "text/plain" }));
  const request = new Request("https://example.com/a?b#c", { method: "POST", body: form, headers: { "x-a": "1" } });
  const back = await request.clone().formData();
  const response = Response.json({ a: 1 }, { status: 201 });
  return {
    request: [request.method, request.url, request.headers.get("x-a"), request.headers.get("content-type").split(";")[0]],
    form: [back.get("name"), back.get("file").name, await back.get("file").text()],
    response: [response.status, response.ok, await response.json()],
    redirect: Response.redirect("https://example.com/", 307).headers.get("location"),
    headers: [...new Headers([["b", "2"], ["A", "1"], ["a", "3"]])],
    named: [fetch.name, fetch.length, typeof EventSource],
  };
};
