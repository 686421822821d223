// A `*` does not open what is outside the public internet.
export default async () => {
  const told = {};
  for (
    const url of [
      "http://127.0.0.1:8080/",
      "http://2130706433:8080/",
      "http://[::ffff:127.0.0.1]:8080/",
      "http://169.254.169.254/latest/meta-data/",
      "http://[fd00:ec2::254]/latest/meta-data/",
      "http://10.0.0.7/",
      "http://localhost:8080/",
      "file:///etc/passwd",
      "http://example.com:22/",
    ]
  ) {
    told[url] = await fetch(url).then(String, String);
  }
  return told;
};
