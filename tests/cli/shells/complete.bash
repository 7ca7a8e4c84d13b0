# Prints what bash offers for command lines: bash complete.bash SCRIPT LINE...
# After the candidates of each line comes a line ----. Words are split as readline splits them, at
# "=" too; the word under the cursor is the last one.
source "$1"
shift
for line in "$@"; do
  read -ra COMP_WORDS <<< "${line//=/ = }"
  [[ $line == *[\ =] ]] && [[ $line != *= ]] && COMP_WORDS+=("")
  COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
  _pacsrv
  printf '%s\n' "${COMPREPLY[@]}" ----
done
