export default () => {
  const target = new EventTarget();
  const seen = [];
  target.addEventListener("greet", (event) => seen.push(event.type, event.target === target), { once: true });
  target.addEventListener("greet", { handleEvent: (event) => event.preventDefault() });
  console.log(target.dispatchEvent(new Event("greet", { cancelable: true })));
  console.log(target.dispatchEvent(new Event("greet")), seen);

  class Greeting extends Event {
    constructor(name) {
      super("greeting");
      this.name = name;
    }
  }
  target.addEventListener("greeting", ({ name }) => console.log("hello", name));
  target.dispatchEvent(new Greeting("Ana"));
};
