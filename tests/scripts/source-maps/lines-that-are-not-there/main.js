export default(a)=>{const n=a.name;throw new Error(`no ${n}`)};
//# sourceMappingURL=data:application/json;base64,eyJ2ZXJzaW9uIjogMywgInNvdXJjZXMiOiBbImEudHMiXSwgInNvdXJjZXNDb250ZW50IjogWyJvbmUgbGluZSJdLCAibmFtZXMiOiBbXSwgIm1hcHBpbmdzIjogIkEsQ0FEQSxrQ0FBamdnZ2dFLEcifQ==
