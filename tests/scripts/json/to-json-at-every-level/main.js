// As deep as a result may be, with code of the script's at each level: a `toJSON`, and a getter.
const nested = (levels) => levels === 0 ? "the bottom" : { toJSON: () => ({ get deeper() { return nested(levels - 1); } }) };

export default () => nested(99);
