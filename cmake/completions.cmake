# Writes the completion scripts of the shells, which leasemap itself prints, for `cmake --install`.
#   cmake -DPROGRAM=path -DOUT=folder -P completions.cmake
cmake_minimum_required(VERSION 3.25)
file(MAKE_DIRECTORY ${OUT})
foreach(shell bash zsh fish)
  execute_process(COMMAND ${PROGRAM} completion ${shell} OUTPUT_FILE ${OUT}/leasemap.${shell} COMMAND_ERROR_IS_FATAL ANY)
endforeach()
