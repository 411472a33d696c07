# SPDX-License-Identifier: MIT
# Makes a C file of a file of web/, so that the program carries it:
#   cmake -DIN=FILE -DOUT=FILE.c -DSYMBOL=NAME [-DSQUEEZE=ON] -P embed.cmake
# defines NAME and NAME_bytes, which src/daemon/web_files.h declares. SQUEEZE is for a script that is
# written for it: it drops comments that have their line to themselves, line ends, indentation, and one
# space beside an operator or a bracket, inside strings too.
file(READ "${IN}" text)
if(SQUEEZE)
	string(REGEX REPLACE "(^|\n)[ \t]*//[^\n]*" "" text "${text}")
	string(REGEX REPLACE "[ \t]*\n[ \t]*" "" text "${text}")
	string(REGEX REPLACE " ?([=+&|<>?:{}(),!]) ?" "\\1" text "${text}")
	string(REPLACE ";}" "}" text "${text}")
endif()
string(HEX "${text}" bytes)
string(REGEX REPLACE "(..)" "0x\\1," bytes "${bytes}")
file(WRITE "${OUT}" "#include \"daemon/web_files.h\"
const unsigned char ${SYMBOL}[] = { ${bytes} };
const size_t ${SYMBOL}_bytes = sizeof(${SYMBOL});
")
