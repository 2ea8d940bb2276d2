export {EpollReactor, type Polled, type ReactorOptions} from './epoll-reactor.ts';
export type {Reactor, Readiness, Timer, Watch} from './reactor.ts';
export {ReactorState, type ReactorStateView} from './reactor-state.ts';
