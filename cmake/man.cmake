# Makes the manual page of a program from what it prints as its help, so that there is one text for both.
#   cmake -DPROGRAM=path -DNAME=leasemap -DSECTION=1 -DVERSION=0.1.0 -DABOUT=... -DOUT=file [-DCOMMANDS=ON] -P man.cmake
cmake_minimum_required(VERSION 3.25)

# The program's output; an error ends the build.
function(ask result)
  execute_process(COMMAND ${PROGRAM} ${ARGN} OUTPUT_VARIABLE text COMMAND_ERROR_IS_FATAL ANY)
  set(${result} "${text}" PARENT_SCOPE)
endfunction()

# The text as roff takes it: backslashes and minus signs as such, and no line that begins like a request.
function(quote_roff result text)
  string(REPLACE "\\" "\\e" text "${text}")
  string(REPLACE "-" "\\-" text "${text}")
  string(REGEX REPLACE "(^|\n)([.'])" "\\1\\\\&\\2" text "${text}")
  set(${result} "${text}" PARENT_SCOPE)
endfunction()

# As it is, without filling lines.
function(verbatim result text)
  string(STRIP "${text}" text)
  quote_roff(text "${text}")
  set(${result} ".nf\n${text}\n.fi\n" PARENT_SCOPE)
endfunction()

# The options that CLI11 lists: name and text on one line, or the text on the next one.
function(listed result text)
  quote_roff(text "${text}")
  string(REGEX REPLACE "\n          +" "\n" text "${text}")
  string(REGEX REPLACE "(^|\n)  (\\\\-[^ \n]*( [^ \n]+)?) *\n" "\\1.TP\n.B \\2\n" text "${text}")
  string(REGEX REPLACE "(^|\n)  (\\\\-[^ \n]*( [^ \n]+)?)  *([^\n]+)" "\\1.TP\n.B \\2\n\\4" text "${text}")
  set(${result} "${text}" PARENT_SCOPE)
endfunction()

ask(help --help)
set(page ".TH ${NAME} ${SECTION} \"${VERSION}\" \"Leasemap ${VERSION}\" \"Leasemap\"\n.SH NAME\n${NAME} \\- ${ABOUT}\n")
if(COMMANDS)
  verbatim(text "${help}")
  string(APPEND page ".SH DESCRIPTION\n${text}.SH COMMANDS\n")
  string(REGEX MATCHALL "\n  [a-z]+" commands "${help}")
  foreach(command IN LISTS commands)
    string(STRIP "${command}" command)
    ask(text help ${command})
    # They are above already.
    string(REGEX REPLACE "\nOptions of all commands:\n(  [^\n]*\n)*" "" text "${text}")
    verbatim(text "${text}")
    string(APPEND page ".SS ${command}\n${text}")
  endforeach()
else()
  string(REGEX MATCH "^(.*)\nUsage: ([^\n]*)\n+Options:\n(.*)$" whole "${help}")
  if(NOT whole)
    message(FATAL_ERROR "the help of ${NAME} is not as cmake/man.cmake expects it: change that, too")
  endif()
  set(options "${CMAKE_MATCH_3}")
  quote_roff(about "${CMAKE_MATCH_1}")
  quote_roff(usage "${CMAKE_MATCH_2}")
  listed(options "${options}")
  string(APPEND page ".SH SYNOPSIS\n${usage}\n.SH DESCRIPTION\n${about}\n.SH OPTIONS\n${options}")
endif()
file(WRITE "${OUT}" "${page}")
