export default () => {
  console.log(btoa("Tailor"), atob("VGFpbG9y"), atob(" VGFp bG9y\n"), btoa("\u00ff"), btoa(""));
  for (const wrong of [() => btoa("名前"), () => atob("%"), () => atob("a")]) {
    try {
      console.log(wrong());
    } catch (error) {
      console.log(error instanceof DOMException, error.name, error.code);
    }
  }
};
