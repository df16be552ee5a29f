#compdef latchkey
# zsh completion for latchkey. Load it with: source <(latchkey completion zsh)
_latchkey() {
	local -a found
	local word help
	while IFS=$'\t' read -r word help; do
		found+=("${word//:/\\:}:$help")
	done < <(latchkey complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)
	if (( $#found )); then
		_describe latchkey found
	else
		_files
	fi
}
if [ "$funcstack[1]" = "_latchkey" ]; then
	_latchkey "$@"
else
	compdef _latchkey latchkey
fi
