// The module knows its URL, and nothing of the host.
export default () => ({ keys: Object.keys(import.meta), file: import.meta.url.split("/").at(-1) });
