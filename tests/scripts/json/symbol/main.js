export default () => ({ "a key": [Symbol("s")] });
