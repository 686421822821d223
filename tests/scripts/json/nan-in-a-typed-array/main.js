export default () => ({ samples: new Float32Array([1, NaN]) });
