const idp = new tailor.idp.Client("builtin-idp");
const attempt = async (what, call) => {
  try {
    await call();
    console.log(what, "done");
  } catch (error) {
    console.log(what, error.code, error.message);
  }
};

export default async () => {
  const passwords = {
    "Cyrillic letters have case, Arabic digits are numbers": "Жжжжжж٣!",
    "white space is neither letter nor number": "Ä ä 1 2 3",
    "letters without case are neither upper nor lower": "密码密码密码1!",
    "a mark belongs to its letter and is no symbol": "Cafe\u{301}s1234",
    "a control character is no symbol": "Rabbit42\u{7}",
    "an emoji is a symbol": "Rabbit42🐇",
    "roman numerals and fractions are numbers": "Rabbit-½Ⅷ",
  };
  let number = 0;
  for (const [what, password] of Object.entries(passwords)) {
    await attempt(what, () => idp.createUser({ name: `u${number++}@example.com`, password }));
  }
};
