// A message is a copy; the ports keep the order.
export default async () => {
  const { port1, port2 } = new MessageChannel();
  const received = [];
  const end = new Promise((resolve) => {
    port2.onmessage = ({ data }) => (data === "end" ? resolve() : received.push(data));
  });
  const message = { list: [1, new Date(0), new Map([["a", 1]])] };
  port1.postMessage(message);
  message.list.push("later");
  port1.postMessage("end");
  await end;
  port1.close();
  port2.close();
  console.log(received, port1 instanceof MessagePort);
};
