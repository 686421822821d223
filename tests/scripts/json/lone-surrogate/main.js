// Text that is no Unicode cannot be written: an error with the path, rather than other text.
export default () => ({ texts: ["fine", "half a pair: \ud83d"] });
