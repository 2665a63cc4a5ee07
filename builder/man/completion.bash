# bash completion for envbuild; made by `envbuild help --write`.
# SPDX-License-Identifier: Apache-2.0

_envbuild_words() {
    [[ $1 == *: ]] && compopt -o nospace 2>/dev/null
    mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen -W "$*" -- "$cur")
}

# Folders, and files of these suffixes; without one all files. After "oci:" and its like, too.
_envbuild_files() {
    local suffix before='' rest=$cur
    case $cur in
        oci:* | oci-archive:* | docker-archive:* | dir:*) before=${cur%%:*}: rest=${cur#*:} ;;
    esac
    compopt -o filenames 2>/dev/null
    for suffix in "${@:-}"; do
        mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen -P "$before" -f -X "!*$suffix" -- "$rest")
    done
    mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen -P "$before" -d -- "$rest")
}

_envbuild_folders() {
    compopt -o filenames 2>/dev/null
    mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen -d -- "$cur")
}

_envbuild_commands() {
@COMMANDS@
}

_envbuild_takes() {
    case $1 in
@TAKES@
    esac
    return 1
}

_envbuild_value() {
    case $1 in
@VALUES@
    esac
}

_envbuild_operand() {
    case $1 in
@OPERANDS@
    esac
}

_envbuild_options() {
    case $1 in
@OPTIONS@
    esac
}

_envbuild() {
    # readline breaks words at ":" and "=", which stand in ours.
    local line=${COMP_LINE:0:COMP_POINT} cur='' word command='' before='' operand=1 i
    local -a typed
    read -ra typed <<<"$line"
    [[ $line == *[[:space:]] ]] && typed+=('')
    cur=${typed[${#typed[@]} - 1]}
    COMPREPLY=()
    for ((i = 1; i < ${#typed[@]} - 1; i++)); do
        word=${typed[i]}
        if [[ $command && $word == -- ]]; then
            return
        elif [[ $word == -* ]]; then
            before=$word
            continue
        elif _envbuild_takes "$command/$before"; then
            before=''
            continue
        elif [[ $command ]]; then
            operand=$((operand + 1))
        else
            case $word in
@NAMES@
            *) command=build operand=2 ;;
            esac
        fi
        before=''
    done
    if [[ ! $command ]]; then
        if [[ $cur == -* ]]; then
            _envbuild_words --help --version
        else
            _envbuild_commands
            _envbuild_files .yaml .yml
        fi
    elif [[ $cur == --*=* ]]; then
        before=${cur%%=*} cur=${cur#*=}
        _envbuild_value "$command/$before"
    elif _envbuild_takes "$command/$before"; then
        _envbuild_value "$command/$before"
    elif [[ $cur == -* ]]; then
        _envbuild_options "$command"
    else
        _envbuild_operand "$command/$operand"
    fi
    if [[ $cur == *:* && $COMP_WORDBREAKS == *:* ]]; then
        before=${cur%"${cur##*:}"}
        COMPREPLY=("${COMPREPLY[@]#"$before"}")
    fi
}
complete -F _envbuild envbuild
