// The scripts by which shells ask `leasemap completion words` for what may come next. They are short, since all that is
// known of the commands is in the grammar.
#include <string>

#include "clients/cli/completion.h"

namespace leasemap::cli {
namespace {

// Bash splits words at : and =, too, so the line is split again at blanks, and what bash takes for typed already is cut
// off the answers.
constexpr char kBash[] = R"bash(# bash completion for leasemap: source <(leasemap completion bash)
_leasemap() {
  local line=${COMP_LINE:0:COMP_POINT} words found kind cut word
  read -ra words <<<"$line"
  [[ $line == *[[:space:]] ]] && words+=("")
  mapfile -t found < <("${words[0]}" completion words -- "${words[@]:1}" 2>/dev/null)
  kind=${found[0]}
  word=${words[-1]}
  cut=${word%"${word##*[:=]}"}
  COMPREPLY=()
  case $kind in
    files) mapfile -t COMPREPLY < <(compgen -f -- "$word"); compopt -o filenames 2>/dev/null ;;
    commands) mapfile -t COMPREPLY < <(compgen -c -- "$word") ;;
    *)
      for word in "${found[@]:1}"; do
        word=${word%%$'\t'*}
        COMPREPLY+=("${word#"$cut"}")
      done
      [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == */ ]] && compopt -o nospace 2>/dev/null ;;
  esac
}
complete -F _leasemap leasemap
)bash";

constexpr char kZsh[] = R"zsh(#compdef leasemap
# zsh completion for leasemap: source <(leasemap completion zsh), or this file as _leasemap in a folder of $fpath
_leasemap() {
  local -a found plain ends
  local line word
  found=("${(@f)$(${words[1]} completion words -- "${(@Q)words[2,CURRENT-1]}" "${(Q)PREFIX}" 2>/dev/null)}")
  case $found[1] in
    files) _files ;;
    commands) _command_names -e ;;
    *)
      for line in "${(@)found[2,-1]}"; do
        word=${line%%$'\t'*}
        [[ -z $word ]] && continue
        if [[ $word == */ ]]; then ends+=("$word")
        elif [[ $line == *$'\t'* ]]; then plain+=("${word//:/\\:}:${line#*$'\t'}")
        else plain+=("${word//:/\\:}")
        fi
      done
      (( $#ends )) && compadd -S '' -- "${ends[@]}"
      (( $#plain )) && _describe -V leasemap plain ;;
  esac
}
if [[ $funcstack[1] == _leasemap ]]; then _leasemap "$@"  # loaded from $fpath, for the first time
elif (( $+functions[compdef] )); then compdef _leasemap leasemap
fi
)zsh";

constexpr char kFish[] = R"fish(# fish completion for leasemap: leasemap completion fish | source
function __leasemap_complete
    set -l words (commandline -opc)
    set -l found ($words[1] completion words -- $words[2..-1] (commandline -ct) 2>/dev/null)
    switch "$found[1]"
        case files
            __fish_complete_path (commandline -ct)
        case commands
            __fish_complete_command
        case '*'
            string join \n -- $found[2..-1]
    end
end
complete -c leasemap -f -a '(__leasemap_complete)'
)fish";

}  // namespace

std::string CompletionScript(const std::string& shell) {
  return shell == "bash" ? kBash : shell == "zsh" ? kZsh : kFish;
}

}  // namespace leasemap::cli
