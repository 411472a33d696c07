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

# What an operator's other programs take: alert rules, a dashboard, definitions of partners.
install(DIRECTORY packaging/prometheus packaging/grafana partners DESTINATION share/backchannel
	FILES_MATCHING PATTERN "*.yml" PATTERN "*.json" PATTERN "*.conf" PATTERN "*.test.yml" EXCLUDE)

# The program prints its own manual pages and completions, from the tables that also feed its parser
# and its help; so they are made after it is linked, by running it. A cross build names one of the same
# version that runs here.
set(BC_INSTALL_ZSHDIR share/zsh/site-functions CACHE STRING "Where zsh looks for completions")
set(BC_PRINTER "" CACHE FILEPATH "Cross builds: a backchannel that runs here, to print manual pages and completions")
if(BC_PRINTER)
	set(bc_printer ${BC_PRINTER})
elseif(CMAKE_CROSSCOMPILING)
	message(STATUS "No manual pages and completions: set BC_PRINTER to a backchannel that runs here")
	return()
else()
	set(bc_printer $<TARGET_FILE:backchannel>)
endif()
# bc_printed(FILE FOLDER ARGUMENTS): the file is what the program prints with these.
function(bc_printed name folder arguments)
	set(file ${PROJECT_BINARY_DIR}/printed/${name})
	add_custom_command(OUTPUT ${file} DEPENDS backchannel VERBATIM
		COMMAND ${CMAKE_COMMAND} -E make_directory ${PROJECT_BINARY_DIR}/printed
		COMMAND sh -c "\"$1\" $2 > \"$3.new\" && mv \"$3.new\" \"$3\"" sh ${bc_printer} "${arguments}" ${file}
		COMMENT "Writing ${name}")
	string(MAKE_C_IDENTIFIER print_${name} target)
	add_custom_target(${target} ALL DEPENDS ${file})
	install(FILES ${file} DESTINATION ${folder} RENAME ${ARGN})
endfunction()
bc_printed(backchannel.1 ${CMAKE_INSTALL_MANDIR}/man1 "help --man" backchannel.1)
bc_printed(backchannel.conf.5 ${CMAKE_INSTALL_MANDIR}/man5 "config man" backchannel.conf.5)
bc_printed(backchannel.bash share/bash-completion/completions "completion bash" backchannel)
bc_printed(backchannel.zsh ${BC_INSTALL_ZSHDIR} "completion zsh" _backchannel)
bc_printed(backchannel.fish share/fish/vendor_completions.d "completion fish" backchannel.fish)
