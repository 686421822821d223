export default () => {
  const parent = { name: "parent", children: [] };
  parent.children.push({ name: "child", parent });
  return { family: parent };
};
