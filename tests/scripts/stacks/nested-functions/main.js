const idp = new tailor.idp.Client("builtin-idp");

class Directory {
  async remove(id) {
    return await this.#remove(id);
  }

  async #remove(id) {
    return await idp.deleteUser(id);
  }

  static async *removeAll(ids) {
    for (const id of ids) {
      yield await new Directory().remove(id);
    }
  }
}

export default async function removeEveryone() {
  for (const ids of [["ghost"], [42]]) {
    try {
      for await (const _ of Directory.removeAll(ids)) {
        console.log("never");
      }
    } catch (error) {
      console.log(error.stack);
    }
  }
}
