export default(a)=>{const n=a.name;throw new Error(`no ${n}`)};
//# sourceMappingURL=data:application/json;base64,eyJ2ZXJzaW9uIjogMywgInNvdXJjZXMiOiBbIi9ldGMvcGFzc3dkIl0sICJuYW1lcyI6IFtdLCAibWFwcGluZ3MiOiAiQUFFQSxvQkFDRSxlQUNBLE1BQU0ifQ==
