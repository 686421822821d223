export const lazy = () => "lazy";
