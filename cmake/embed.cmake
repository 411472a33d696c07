# SPDX-License-Identifier: MIT
# Makes a C file of a file, so that the program carries and serves it, plain and as gzip:
#   cmake -DIN=FILE -DOUT=FILE.c -DSYMBOL=NAME -DGZIP=PROGRAM [-DSQUEEZE=ON] [-DSTYLE=FILE] -P embed.cmake
# defines the struct bc_web_file NAME, which src/daemon/web_files.h declares. Equal bytes in are equal
# bytes out: gzip notes neither name nor time. SQUEEZE is for a script that is written for it: it drops
# comments that have their line to themselves, line ends, indentation, and one space beside an operator
# or a bracket, inside strings too. STYLE is for a page: the link to a style sheet of that name becomes
# the style itself, and NAME_style its hash as a content security policy spells it.
set(copy "${OUT}.plain")
if(SQUEEZE)
	file(READ "${IN}" text)
	string(REGEX REPLACE "(^|\n)[ \t]*//[^\n]*" "" text "${text}")
	string(REGEX REPLACE "[ \t]*\n[ \t]*" "" text "${text}")
	string(REGEX REPLACE " ?([=+&|<>?:{}(),!]) ?" "\\1" text "${text}")
	string(REPLACE ";}" "}" text "${text}")
	file(WRITE "${copy}" "${text}")
elseif(STYLE)
	file(READ "${IN}" text)
	file(READ "${STYLE}" style)
	get_filename_component(name "${STYLE}" NAME)
	set(link "<link rel=\"stylesheet\" href=\"/${name}\">")
	string(FIND "${text}" "${link}" at)
	if(at EQUAL -1)
		message(FATAL_ERROR "${IN} has no ${link}")
	endif()
	string(REPLACE "${link}" "<style>\n${style}</style>" text "${text}")
	file(WRITE "${copy}" "${text}")
	# 32 bytes in base64: each three hex digits are two of its letters, and the last one is filled up.
	string(SHA256 hex "\n${style}")
	set(letters ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/)
	foreach(i RANGE 0 63 3)
		string(SUBSTRING "${hex}00" ${i} 3 digits)
		math(EXPR high "0x${digits} >> 6")
		math(EXPR low "0x${digits} & 63")
		string(SUBSTRING ${letters} ${high} 1 high)
		string(SUBSTRING ${letters} ${low} 1 low)
		string(APPEND base64 ${high}${low})
	endforeach()
	string(REGEX REPLACE ".$" "=" base64 ${base64})
	set(told "const char ${SYMBOL}_style[] = \"sha256-${base64}\";\n")
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
${told}")
