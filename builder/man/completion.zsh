#compdef envbuild
# zsh completion for envbuild; made by `envbuild help --write`.
# SPDX-License-Identifier: Apache-2.0

_envbuild_words() {
    [[ $1 == *: ]] && compadd -S '' -- $@ || compadd -- $@
}

# Folders, and files of these suffixes; without one all files. After "oci:" and its like, too.
_envbuild_files() {
    compset -P '(oci|oci-archive|docker-archive|dir):'
    if (( $# )); then
        _files -g "${(j: :)${(@)@/#/*}}"
    else
        _files
    fi
}

_envbuild_folders() {
    _files -/
}

_envbuild_commands() {
    local -a commands=(
@COMMANDS@
    )
    _describe command commands
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
    local -a options
    case $1 in
@OPTIONS@
    esac
    _describe -o option options
}

_envbuild() {
    local word command='' before='' operand=1 i
    for ((i = 2; i < CURRENT; i++)); do
        word=$words[i]
        if [[ -n $command && $word == -- ]]; then
            return
        elif [[ $word == -* ]]; then
            before=$word
            continue
        elif _envbuild_takes "$command/$before"; then
            before=''
            continue
        elif [[ -n $command ]]; then
            operand=$((operand + 1))
        else
            case $word in
@NAMES@
            *) command=build operand=2 ;;
            esac
        fi
        before=''
    done
    if [[ -z $command ]]; then
        if [[ $PREFIX == -* ]]; then
            _envbuild_words --help --version
        else
            _envbuild_commands
            _envbuild_files .yaml .yml
        fi
    elif [[ $PREFIX == --*=* ]]; then
        before=${PREFIX%%=*}
        compset -P '*='
        _envbuild_value "$command/$before"
    elif _envbuild_takes "$command/$before"; then
        _envbuild_value "$command/$before"
    elif [[ $PREFIX == -* ]]; then
        _envbuild_options "$command"
    else
        _envbuild_operand "$command/$operand"
    fi
}

_envbuild "$@"
