# One target a folder. Includes begin at the root of the sources; which folder may include which one is in
# tools/check_includes.py, and a test runs it.

add_library(leasemap_flags INTERFACE)
# A warning is an error in the presets of CMakePresets.json, which developers and the gate use, and nowhere else.
target_compile_options(leasemap_flags INTERFACE -Wall -Wextra -Wshadow)
if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)
  # g++ 12 takes the unused alternatives of a std::variant for read (GCC bugs 105562 and 80635), and appended literals for
  # overlapping copies (GCC bug 105651).
  target_compile_options(leasemap_flags INTERFACE -Wno-maybe-uninitialized -Wno-restrict)
endif()

# leasemap_library(name FOLDER folder SOURCES ... LINK ...)
function(leasemap_library name)
  cmake_parse_arguments(ARG "" "FOLDER" "SOURCES;LINK" ${ARGN})
  list(TRANSFORM ARG_SOURCES PREPEND ${CMAKE_SOURCE_DIR}/${ARG_FOLDER}/)
  add_library(${name} STATIC ${ARG_SOURCES})
  # What is installed needs no warnings of ours.
  target_link_libraries(${name} PUBLIC ${ARG_LINK} PRIVATE $<BUILD_INTERFACE:leasemap_flags>)
endfunction()

# What the tests of parts need, and what the end-to-end tests need: for builds of one of the two alone.
add_custom_target(parts)
add_custom_target(processes)

# leasemap_test(name SOURCES ... LINK ... LABELS ...): a GoogleTest program, each of its cases a test of ctest.
function(leasemap_test name)
  cmake_parse_arguments(ARG "" "TIMEOUT" "SOURCES;LINK;LABELS" ${ARGN})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 120)
  endif()
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ${ARG_LINK} GTest::gmock GTest::gtest_main leasemap_flags)
  add_dependencies(parts ${name})
  gtest_discover_tests(${name} TEST_PREFIX "${name}:" DISCOVERY_TIMEOUT 60
                       PROPERTIES TIMEOUT ${ARG_TIMEOUT} LABELS "${ARG_LABELS}")
endfunction()
include(GoogleTest)
include(GNUInstallDirs)

# leasemap_man(target SECTION n ABOUT text [COMMANDS]): the manual page of a program, made of its help after each build.
# `cmake --install` installs the program and its page, if it was built.
function(leasemap_man target)
  cmake_parse_arguments(ARG "COMMANDS" "SECTION;ABOUT" "" ${ARGN})
  set(page ${CMAKE_BINARY_DIR}/man/${target}.${ARG_SECTION})
  add_custom_command(TARGET ${target} POST_BUILD VERBATIM BYPRODUCTS ${page}
    COMMAND ${CMAKE_COMMAND} -DPROGRAM=$<TARGET_FILE:${target}> -DNAME=${target} -DSECTION=${ARG_SECTION} -DVERSION=${PROJECT_VERSION}
            "-DABOUT=${ARG_ABOUT}" -DOUT=${page} -DCOMMANDS=${ARG_COMMANDS} -P ${CMAKE_SOURCE_DIR}/cmake/man.cmake)
  install(PROGRAMS $<TARGET_FILE:${target}> DESTINATION ${CMAKE_INSTALL_BINDIR} OPTIONAL)
  install(FILES ${page} DESTINATION ${CMAKE_INSTALL_MANDIR}/man${ARG_SECTION} OPTIONAL)
endfunction()
