# The build of QuickJS's WebAssembly part clones SIMDe. This file points it to the installed headers instead.
# CMAKE_TOOLCHAIN_FILE names it: a build script's CMake run takes no other settings from outside.
foreach(dir /usr/include /usr/local/include /opt/homebrew/include)
  if(EXISTS ${dir}/simde/simde-common.h)
    set(FETCHCONTENT_SOURCE_DIR_SIMDE ${dir} CACHE PATH "folder that contains simde/")
    break()
  endif()
endforeach()
