# gw_module(NAME [library…]): a static library gw_NAME of the .c files in this folder, allowed to use
# the libraries named.
function(gw_module name)
  file(GLOB sources CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/*.c")
  add_library(gw_${name} STATIC ${sources})
  target_include_directories(gw_${name} PUBLIC "${PROJECT_SOURCE_DIR}/include")
  target_link_libraries(gw_${name} PUBLIC ${ARGN})
endfunction()

# gw_unit_tests(NAME): one test per tests/unit/NAME/test_*.c, linked with gw_NAME and Check.
function(gw_unit_tests name)
  file(GLOB sources CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/unit/${name}/test_*.c")
  foreach(source IN LISTS sources)
    get_filename_component(test "${source}" NAME_WE)
    add_executable(${test} "${source}")
    target_link_libraries(${test} PRIVATE gw_${name} PkgConfig::CHECK)
    target_compile_definitions(${test} PRIVATE "GW_SOURCE_DIR=\"${PROJECT_SOURCE_DIR}\"")
    target_compile_options(${test} PRIVATE -Wno-conversion -Wno-missing-prototypes -Wno-float-conversion)
    add_test(NAME unit.${name}.${test} COMMAND ${test})
    set_tests_properties(unit.${name}.${test} PROPERTIES LABELS unit TIMEOUT 120
      ENVIRONMENT "CK_FORK=no;CK_VERBOSITY=minimal")
  endforeach()
endfunction()

# gw_fuzz_target(NAME library…): tests/fuzz/fuzz_NAME.c. With ROWCAST_FUZZ a libFuzzer binary; always a
# test that replays tests/fuzz/corpus/NAME through the same function.
function(gw_fuzz_target name)
  if(ROWCAST_FUZZ)
    add_executable(fuzz_${name} "${CMAKE_CURRENT_SOURCE_DIR}/fuzz/fuzz_${name}.c")
    target_compile_options(fuzz_${name} PRIVATE -fsanitize=fuzzer -Wno-missing-prototypes)
    target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
    target_link_libraries(fuzz_${name} PRIVATE ${ARGN})
  endif()
  add_executable(replay_${name} "${CMAKE_CURRENT_SOURCE_DIR}/fuzz/fuzz_${name}.c"
    "${CMAKE_CURRENT_SOURCE_DIR}/fuzz/replay.c")
  target_compile_options(replay_${name} PRIVATE -Wno-missing-prototypes)
  target_link_libraries(replay_${name} PRIVATE ${ARGN})
  add_test(NAME fuzz.replay.${name}
    COMMAND replay_${name} "${CMAKE_CURRENT_SOURCE_DIR}/fuzz/corpus/${name}")
  set_tests_properties(fuzz.replay.${name} PROPERTIES LABELS fuzz TIMEOUT 120)
endfunction()
