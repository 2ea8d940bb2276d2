/**
 * Scripts by which shells complete lines of openvmm. Each asks `openvmm completion words -- WORD…`, whose first line says whether names of
 * files are wanted too, and each other line is a word.
 */
export const completionScripts: Readonly<Record<string, string>> = {
	bash: `# bash completion of openvmm: eval "$(openvmm completion bash)"
_openvmm() {
	local line="\${COMP_LINE:0:COMP_POINT}" words reply word current
	read -ra words <<<"$line"
	[[ $line == *[[:space:]] ]] && words+=("")
	current="\${words[\${#words[@]}-1]}"
	mapfile -t reply < <(openvmm completion words -- "\${words[@]:1}" 2>/dev/null)
	COMPREPLY=()
	for word in "\${reply[@]:1}"; do
		# bash has taken what is in front of a colon as a word of its own.
		[[ $current == *:* && $COMP_WORDBREAKS == *:* ]] && word="\${word#"\${current%:*}:"}"
		COMPREPLY+=("$word")
	done
	if [[ \${reply[0]} == files ]]; then
		compopt -o filenames 2>/dev/null
		while IFS= read -r word; do COMPREPLY+=("$word"); done < <(compgen -f -- "\${current##*:}")
	fi
	[[ \${#COMPREPLY[@]} == 1 && \${COMPREPLY[0]} == *: ]] && compopt -o nospace 2>/dev/null
	return 0
}
complete -F _openvmm openvmm
`,
	zsh: `#compdef openvmm
# zsh completion of openvmm: eval "$(openvmm completion zsh)"
_openvmm() {
	local -a reply
	reply=("\${(@f)$(openvmm completion words -- "\${(@Q)words[2,CURRENT]}" 2>/dev/null)}")
	compadd -S ' ' -- \${reply[2,-1]:#*:}
	compadd -S '' -- \${(M)reply[2,-1]:#*:}
	[[ $reply[1] == files ]] && _files
}
compdef _openvmm openvmm
`,
	fish: `# fish completion of openvmm: openvmm completion fish | source
function __openvmm_complete
	set -l reply (openvmm completion words -- (commandline -opc)[2..-1] (commandline -ct) 2>/dev/null)
	printf '%s\\n' $reply[2..-1]
	test "$reply[1]" = files; and __fish_complete_path (commandline -ct)
end
complete -c openvmm -f -a '(__openvmm_complete)'
`,
};
