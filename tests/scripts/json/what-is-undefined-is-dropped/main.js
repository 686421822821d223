// In objects a property drops, in arrays a gap is null: as JSON.stringify has it.
export default () => ({
  dropped: undefined,
  kept: null,
  array: [undefined, , 1],
  nested: [{ dropped: undefined }],
  [Symbol("dropped")]: 1,
});
