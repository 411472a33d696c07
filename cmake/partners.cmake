# SPDX-License-Identifier: MIT
# Makes a C file of the partner definitions, so that the program carries them wherever it runs:
#   cmake -DDIR=FOLDER -DOUT=FILE.c -P partners.cmake
# defines the table that src/daemon/partner_book.h declares, in the order of their names.
file(GLOB definitions "${DIR}/*.conf")
list(SORT definitions)
set(texts "")
set(rows "")
set(at 0)
foreach(definition ${definitions})
	get_filename_component(name "${definition}" NAME_WE)
	file(READ "${definition}" bytes HEX)
	string(REGEX REPLACE "(..)" "0x\\1," bytes "${bytes}")
	string(APPEND texts "static const unsigned char text_${at}[] = { ${bytes} };\n")
	string(APPEND rows "\t{ \"${name}\", (const char *)text_${at}, sizeof(text_${at}) },\n")
	math(EXPR at "${at} + 1")
endforeach()
file(WRITE "${OUT}" "#include \"daemon/partner_book.h\"
${texts}const struct bc_partner_text bc_partner_texts[] = {
${rows}\t{ NULL, NULL, 0 },
};
")
