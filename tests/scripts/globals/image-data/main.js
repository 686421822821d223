export default () => {
  const image = new ImageData(2, 1);
  image.data[0] = 300;
  console.log(image.width, image.height, image.data.length, image.data[0], image.colorSpace);
  try {
    new ImageData(0, 1);
  } catch (error) {
    console.log(error.name);
  }
};
