# bash completion for latchkey. Load it with: source <(latchkey completion bash)
_latchkey() {
	local line
	COMPREPLY=()
	while IFS=$'\t' read -r line _; do
		COMPREPLY+=("$line")
	done < <(latchkey complete -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -o default -F _latchkey latchkey
