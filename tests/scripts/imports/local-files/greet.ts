export const greet = (name: string): string => `hello ${name} from ${import.meta.url.split("/").at(-1)}`;
