# What `cmake --install` puts where. An embedder gets headers, both libraries and a pkg-config file;
# an operator the program and its manual pages.
foreach(kind LIBDIR INCLUDEDIR)
	if(IS_ABSOLUTE "${CMAKE_INSTALL_${kind}}")
		set(BC_PC_${kind} "${CMAKE_INSTALL_${kind}}")
	else()
		set(BC_PC_${kind} "\${prefix}/${CMAKE_INSTALL_${kind}}")
	endif()
endforeach()
# Relative to the file itself, so that the tree may be installed under any prefix, and moved.
file(RELATIVE_PATH BC_PC_PREFIX "${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig" "${CMAKE_INSTALL_PREFIX}")
configure_file(packaging/backchannel.pc.in backchannel.pc @ONLY)

install(DIRECTORY include/backchannel DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")
install(TARGETS backchannel backchannel_shared backchannel_static)
install(FILES ${PROJECT_BINARY_DIR}/backchannel.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
set(BC_INSTALL_EXAMPLESDIR ${CMAKE_INSTALL_DOCDIR}/examples CACHE STRING "Where the examples go")
install(DIRECTORY examples/ DESTINATION ${BC_INSTALL_EXAMPLESDIR} FILES_MATCHING PATTERN "*.c"
	PATTERN README.md PATTERN "*.mjs" PATTERN "*.py" PATTERN "*.php" PATTERN "*.xml")

# The program prints its own manual pages, from the tables that also feed its parser and its help; so
# they are made after it is linked, by running it, which a cross build cannot do.
if(CMAKE_CROSSCOMPILING)
	return()
endif()
function(bc_man_page page section)
	set(file ${PROJECT_BINARY_DIR}/${page}.${section})
	add_custom_command(OUTPUT ${file} DEPENDS backchannel VERBATIM
		COMMAND sh -c "\"$1\" $2 > \"$3.new\" && mv \"$3.new\" \"$3\"" sh
			$<TARGET_FILE:backchannel> "${ARGN}" ${file}
		COMMENT "Writing ${page}(${section})")
	add_custom_target(man_${section} ALL DEPENDS ${file})
	install(FILES ${file} DESTINATION ${CMAKE_INSTALL_MANDIR}/man${section})
endfunction()
bc_man_page(backchannel 1 "help --man")
bc_man_page(backchannel.conf 5 "config man")
