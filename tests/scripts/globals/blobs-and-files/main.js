export default async () => {
  const blob = new Blob(["Hello, ", new Uint8Array([0xc3, 0xbc]), new Blob(["!"])], { type: "text/plain" });
  console.log(blob.size, blob.type, await blob.text());
  console.log(await blob.slice(0, 5).text(), await blob.bytes());

  const file = new File([blob], "hello.txt", { type: "text/plain", lastModified: 0 });
  console.log(file.name, file.size, file.lastModified, file instanceof Blob);

  const read = (method) =>
    new Promise((resolve, reject) => {
      const reader = new FileReader();
      reader.onload = () => resolve(reader.result);
      reader.onerror = () => reject(reader.error);
      reader[method](file);
    });
  console.log(await read("readAsText"));
  console.log(await read("readAsDataURL"));
  console.log((await read("readAsArrayBuffer")).byteLength);
};
