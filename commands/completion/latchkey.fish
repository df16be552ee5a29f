# fish completion for latchkey. Load it with: latchkey completion fish | source
function __latchkey_complete
	set -l words (commandline -opc) (commandline -ct)
	latchkey complete -- $words[2..-1] 2>/dev/null
end
complete -c latchkey -a '(__latchkey_complete)'
