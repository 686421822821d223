export default () => [
  "",
  "plain",
  "quotes \" and \\ backslashes",
  "line\nbreak, tab\t, return\r",
  "\u0000\u0001\u001f\u007f",
  "ünïcödé 名前 🔑",
  "\u2028\u2029",
  "</script>",
];
