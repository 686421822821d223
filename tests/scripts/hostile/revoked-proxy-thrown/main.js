const { proxy, revoke } = Proxy.revocable({}, {});
revoke();

export default async () => {
  throw proxy;
};
