/**
 * State machines as data, in the format of xstate: the code asks the table, so nothing is written twice. Every event is
 * decided in every state that is not final; `{}` says that it is ignored. JSON and pictures are made from the same table
 * (`machines/`), and a test looks for states that nothing reaches or leaves.
 */
export interface Transition<State extends string, Guard extends string> {
  /** Absent: the event is ignored. */
  readonly target?: State;
  /** What must hold; absent: nothing. The first transition whose guard holds is taken. */
  readonly guard?: Guard;
}

export type Reaction<State extends string, Guard extends string> =
  Transition<State, Guard> | readonly Transition<State, Guard>[];

export type Reactions<State extends string, Event extends string, Guard extends string> = {
  readonly [E in Event]: Reaction<State, Guard>;
};

export type MachineState<State extends string, Event extends string, Guard extends string> =
  | { readonly description: string; readonly type: 'final' }
  | { readonly description: string; readonly on: Reactions<State, Event, Guard> };

export interface Machine<State extends string, Event extends string, Guard extends string> {
  readonly id: string;
  readonly description: string;
  readonly initial: State;
  readonly states: { readonly [S in State]: MachineState<State, Event, Guard> };
}

/** Reactions that ignore every event: states name only what they do not ignore. */
export function ignoring<Event extends string>(
  events: readonly Event[],
): { readonly [E in Event]: Readonly<Record<never, never>> } {
  return Object.fromEntries(events.map((event) => [event, {}])) as {
    readonly [E in Event]: Readonly<Record<never, never>>;
  };
}

/** The state after the event; null when it is ignored. */
export function after<State extends string, Event extends string, Guard extends string>(
  machine: Machine<State, Event, Guard>,
  state: State,
  event: Event,
  holds: (guard: Guard) => boolean = () => true,
): State | null {
  const described = machine.states[state];
  if ('type' in described) return null;
  const reaction = described.on[event];
  const transitions: readonly Transition<State, Guard>[] = Array.isArray(reaction) ? reaction : [reaction];
  const taken = transitions.find(({ guard }) => guard === undefined || holds(guard));
  return taken?.target ?? null;
}
