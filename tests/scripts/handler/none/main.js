console.log("the module runs");

export const handler = () => "nobody calls this";
