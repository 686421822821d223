const down = (depth) => down(depth + 1) + 1;

export default () => {
  try {
    down(0);
  } catch (error) {
    console.log(error.name, error.message);
  }
  return "still there";
};
