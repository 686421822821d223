# QuickJS's WebAssembly part clones SIMDe while it is built; this gives it the installed headers instead.
# Read as CMAKE_TOOLCHAIN_FILE, the one way into a CMake run that a build script starts.
foreach(dir /usr/include /usr/local/include /opt/homebrew/include)
  if(EXISTS ${dir}/simde/simde-common.h)
    set(FETCHCONTENT_SOURCE_DIR_SIMDE ${dir} CACHE PATH "where simde/ lies")
    break()
  endif()
endforeach()
