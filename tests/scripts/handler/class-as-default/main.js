// A class is a function that cannot be called.
export default class Handler {}
