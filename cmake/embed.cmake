# SPDX-License-Identifier: MIT
# Makes a C file of a file, so that the program carries and serves it, plain and as gzip:
#   cmake -DIN=FILE -DOUT=FILE.c -DSYMBOL=NAME -DGZIP=PROGRAM [-DSQUEEZE=ON] -P embed.cmake
# defines the struct bc_web_file NAME, which src/daemon/web_files.h declares. Equal bytes in are equal
# bytes out: gzip notes neither name nor time. SQUEEZE is for a script that is written for it: it drops
# comments that have their line to themselves, line ends, indentation, and one space beside an operator
# or a bracket, inside strings too.
set(copy "${OUT}.plain")
if(SQUEEZE)
	file(READ "${IN}" text)
	string(REGEX REPLACE "(^|\n)[ \t]*//[^\n]*" "" text "${text}")
	string(REGEX REPLACE "[ \t]*\n[ \t]*" "" text "${text}")
	string(REGEX REPLACE " ?([=+&|<>?:{}(),!]) ?" "\\1" text "${text}")
	string(REPLACE ";}" "}" text "${text}")
	file(WRITE "${copy}" "${text}")
else()
	configure_file("${IN}" "${copy}" COPYONLY)
endif()
execute_process(COMMAND "${GZIP}" -9 -n -c "${copy}" OUTPUT_FILE "${copy}.gz" COMMAND_ERROR_IS_FATAL ANY)
foreach(form plain gzip)
	set(file "${copy}")
	if(form STREQUAL gzip)
		set(file "${copy}.gz")
	endif()
	file(READ "${file}" bytes HEX)
	string(REGEX REPLACE "(..)" "0x\\1," ${form} "${bytes}")
endforeach()
file(SHA256 "${copy}" hash)
string(SUBSTRING "${hash}" 0 32 hash)
file(WRITE "${OUT}" "#include \"daemon/web_files.h\"
static const unsigned char plain[] = { ${plain} };
static const unsigned char squeezed[] = { ${gzip} };
const struct bc_web_file ${SYMBOL} = { { (const char *)plain, sizeof(plain) },
	{ (const char *)squeezed, sizeof(squeezed) }, \"${hash}\" };
")
