function logged(value: unknown) {}

@logged
export default class {}
