export {EpollReactor, type ReactorOptions} from './epoll-reactor.ts';
export {type HangWatch, watchForHang} from './hang-watch.ts';
export type {Polled, Reactor, Readiness, RunningReactor, Timer, Watch} from './reactor.ts';
export {ReactorState, type ReactorStateView} from './reactor-state.ts';
