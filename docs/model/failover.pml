/* The failover protocol of one protection group between two sites, with a witness at a third place.
 *
 * Checked in every order of events:
 *   one_writer      never two sites with running writers
 *   one_epoch       an epoch is leased at one site only, and the data of an epoch is promoted at one site only
 *   proof           nothing is promoted before the other site's writers are proved stopped or their lease is over
 *   no_late_write   a planned move loses nothing: no write at the old site after the final copy
 *
 * What happens meanwhile, any number of times: links between the three places go up and down, sites and
 * controllers crash and come back, agents hang, answers of the register come late, each clock runs slow or fast within its
 * bound, and both sites' controllers move the group at once. Whoever comes back knows only what was recorded.
 *
 * Left out, on purpose: observers and approvals. A move may be declared at any time here, so that what holds does
 * not rest on who believed whom. Breaking the glass is no part of it: it is what two people do when none of this
 * can be had, and it says so.
 *
 * Each `T:` is a row of FAILOVER in cloudctl/lifecycle/recovery.py; a test holds the two against each other. The macros
 * in capitals that are not numbers are wrong protocols: with each of them Spin must find a violation.
 */
#ifndef TTL
#define TTL 2           /* ticks for which a lease lets write */
#endif
#ifndef WAIT
#define WAIT 5          /* ticks after which a controller takes a lease to be over */
#endif
#ifndef MOVES
#define MOVES 2         /* moves that may be asked for */
#endif
#ifdef BREAKS           /* to find an error sooner: how many things may break; without it any number */
byte breaks = BREAKS;
#define fails (breaks > 0)
#define counted breaks--
#else
#define fails true
#define counted skip
#endif

#define PROVINCE 0
#define CITY 1
#define NOBODY 2
#define LAST 12         /* more epochs than MOVES can make */

mtype = { idle, requested, approved, reserved, drained, seized, fenced, synced, promoting, promoted, opened,
          started, validated, shifted, committed, giving_back, aborted };

bool link_pc = 1, link_pt = 1, link_ct = 1;
bool up[2] = { 1, 1 };
bool hung[2];                      /* the agent does nothing; its watchdog does */
bool cut[2];                       /* the site's storage, compute or network keeps its writers out */

byte epoch = 1;                    /* the register: what a majority of three members agreed on */
byte holder = PROVINCE;
bool is_open = 1;
byte last = PROVINCE;              /* the site that was open last: the only one whose writers may run */
byte owner = NOBODY;               /* the controller whose move made the epoch */

byte asked[2];                     /* ticks left of a lease that was asked for */
byte answer[2];                    /* the epoch that was granted, not yet heard of */
byte lease[2];                     /* the epoch; 0: none */
byte left[2];                      /* ticks until the watchdog stops the writers */
bool slow[2];                      /* the agent's clock may still lose a tick of this lease */
bool writes[2];

mtype state[2] = { idle, idle };   /* the controllers: recorded */
bool planned[2];
byte base[2];
byte waited[2];                    /* not recorded: gone after a crash */
bool fast[2];
bool stopped[2];                   /* proof that is not recorded yet */
byte moves = MOVES;

byte promoted_at[LAST], leased_at[LAST];  /* by epoch: site + 1; 0: nowhere */
bool clean[2];                     /* nothing was written at the other site since the final copy */

#define other (1 - me)
#define majority(s) (up[s] && ((s == PROVINCE && (link_pc || link_pt)) || (s == CITY && (link_pc || link_ct))))
#define meets (up[0] && up[1] && link_pc)
#define is_mine (epoch == base[me] + 1 && owner == me && holder == me)

inline stop(s) { writes[s] = 0; lease[s] = 0; left[s] = 0; slow[s] = 0 }
inline forget(s) { waited[s] = 0; stopped[s] = 0; fast[s] = (state[s] == seized) }
inline rest(s) { state[s] = idle; base[s] = 0; planned[s] = 0; clean[s] = 0; forget(s) }

proctype agent(byte me) {
end:
  do
  :: atomic { up[me] && !hung[me] && !asked[me] && left[me] < TTL && majority(me) && holder == me && is_open ->
       asked[me] = TTL; slow[me] = 1 }
  :: atomic { up[me] && asked[me] && !answer[me] && majority(me) ->  /* the register's answer is on its way */
       if
       :: holder == me && is_open -> answer[me] = epoch
       :: else -> asked[me] = 0
       fi }
  :: atomic { up[me] && !hung[me] && answer[me] ->
       if
       :: asked[me] ->
            lease[me] = answer[me];
#ifdef TIMER_FROM_ANSWER
            left[me] = TTL;
#else
            left[me] = asked[me];
#endif
            assert(!leased_at[lease[me]] || leased_at[lease[me]] == me + 1);       /* one_epoch */
            leased_at[lease[me]] = me + 1
       :: else
       fi;
       asked[me] = 0; answer[me] = 0 }
  :: atomic { up[me] && !hung[me] && left[me] && !writes[me] && !cut[me] ->
       writes[me] = 1; clean[other] = 0;
       assert(!writes[other]) }                                                  /* one_writer */
  :: atomic { up[me] && lease[me] && !left[me] -> stop(me) }                       /* the watchdog */
  od
}

/* Moves the group to its own site. Each branch is one act or one record of an act; between any two it may die. */
proctype controller(byte me) {
end:
  do
  :: atomic { state[me] == idle && up[me] && moves && holder == other ->
       moves--; base[me] = epoch;
       if
       :: planned[me] = 1
       :: planned[me] = 0
       fi;
       state[me] = requested }
  /* What touches neither the register nor an agent is one step here. */
  :: atomic { state[me] == requested && up[me] ->
       state[me] = approved;                       /* T: requested approve approved */
       state[me] = reserved;                       /* T: approved reserve reserved */
       if
       :: planned[me] -> state[me] = drained       /* T: reserved drain drained */
       :: else
       fi }

  /* seize: the register goes from the epoch of the request to the next, closed, or not at all */
  :: atomic { (state[me] == drained || state[me] == reserved && !planned[me]) && majority(me) ->
       if
       :: epoch == base[me] && holder == other -> epoch++; holder = me; is_open = 0; owner = me
       :: else
       fi }
  :: atomic { (state[me] == drained || state[me] == reserved && !planned[me]) && majority(me) && is_mine ->
       state[me] = seized; forget(me) }                  /* T: reserved seize seized */ /* T: drained seize seized */
  :: atomic { (state[me] == drained || state[me] == reserved) && majority(me) && epoch > base[me] && !is_mine ->
       state[me] = aborted; rest(me) }                             /* T: reserved lose aborted */ /* T: drained lose aborted */

  /* fence: the old site's agent says that it has stopped, or its lease is over by our clock, or, in an
     unplanned move, the site itself keeps its writers out whatever they do: that needs no agent */
  :: atomic { state[me] == seized && meets && !hung[other] && lease[other] <= base[me] && !stopped[me] ->
       stop(other); asked[other] = 0; answer[other] = 0; stopped[me] = 1 }
  :: atomic { state[me] == seized && meets && !planned[me] && !stopped[me] ->
       writes[other] = 0;
#ifndef EVICTS_ONLY
       cut[other] = 1;
#endif
       stopped[me] = 1 }
#ifdef TRUSTS_SILENCE
  :: atomic { state[me] == seized && up[me] && !meets -> stopped[me] = 1 }
#endif
  :: atomic { state[me] == seized && up[me] && (stopped[me] || !planned[me] && waited[me] >= WAIT) ->
       state[me] = fenced; forget(me) }                                                         /* T: seized fence fenced */
#ifdef SYNCS_BLINDLY
  :: atomic { state[me] == fenced && planned[me] && meets ->
#else
  :: atomic { state[me] == fenced && planned[me] && meets && is_mine ->
#endif
       assert(!writes[other]); clean[me] = 1; state[me] = synced }                  /* T: fenced sync synced */

  /* promote: the intent is written first, and from then on there is no way back */
  :: atomic { (state[me] == synced || state[me] == fenced && !planned[me]) && up[me] ->
       state[me] = promoting }                     /* T: fenced promote promoting */ /* T: synced promote promoting */
  :: atomic { state[me] == promoting && up[me] && majority(me) && is_mine ->
       assert(!writes[other]);                                                       /* proof */
       assert(!planned[me] || clean[me]);                                            /* no_late_write */
       assert(!promoted_at[epoch] || promoted_at[epoch] == me + 1);                  /* one_epoch */
       promoted_at[epoch] = me + 1; cut[me] = 0 }
  :: atomic { state[me] == promoting && majority(me) && is_mine && promoted_at[epoch] == me + 1 ->
       state[me] = promoted }                                                /* T: promoting promoted promoted */

  /* open: only now may the agent here take the lease */
#ifdef OPENS_BLINDLY
  :: atomic { state[me] == promoted && majority(me) && !is_open -> is_open = 1; last = me }
#else
  :: atomic { state[me] == promoted && majority(me) && is_mine -> is_open = 1; last = me }
#endif
  :: atomic { state[me] == promoted && majority(me) && is_mine && is_open -> state[me] = opened }  /* T: promoted open opened */
  :: atomic { (state[me] == promoting || state[me] == promoted) && majority(me) && epoch > base[me] + 1 ->
       state[me] = aborted; rest(me) }                     /* T: promoting lose aborted */ /* T: promoted lose aborted */
  :: atomic { state[me] == opened && up[me] && writes[me] ->
#ifdef NO_PLANNED_END
       assert(!planned[me]);
#endif
#ifdef NO_UNPLANNED_END
       assert(planned[me]);
#endif
       state[me] = started;                        /* T: opened start started */
       state[me] = validated;                      /* T: started validate validated */
       state[me] = shifted;                        /* T: validated shift shifted */
       state[me] = committed;                      /* T: shifted commit committed */
       rest(me) }

  /* give back: before the intent to promote, and through the register like every change of the writer */
  :: atomic { up[me] && (state[me] == requested || state[me] == reserved || state[me] == drained ||
                         state[me] == seized || state[me] == fenced || state[me] == synced) ->
       forget(me);
       state[me] = giving_back }      /* T: requested abort giving_back */ /* T: approved abort giving_back */
                                      /* T: reserved abort giving_back */ /* T: drained abort giving_back */
                                      /* T: seized abort giving_back */ /* T: fenced abort giving_back */
                                      /* T: synced abort giving_back */
  :: atomic { state[me] == giving_back && majority(me) && meets && is_mine && !is_open && cut[other] -> cut[other] = 0 }
  :: atomic { state[me] == giving_back && majority(me) && is_mine && !is_open ->
       epoch++; is_open = 1; owner = NOBODY;
#ifdef GIVES_BACK_TO_HOLDER
       holder = other;
#else
       holder = last;
#endif
       promoted_at[epoch] = holder + 1 }
  :: atomic { state[me] == giving_back && majority(me) && !is_mine -> state[me] = aborted; rest(me) } /* T: giving_back return aborted */

  od
}

inline tick(s) {
  if
  :: slow[s] && (left[s] || asked[s]) -> slow[s] = 0
  :: true ->
       left[s] = (left[s] -> left[s] - 1 : 0);
       asked[s] = (asked[s] -> asked[s] - 1 : 0);
       if :: !asked[s] && !left[s] -> slow[s] = 0 :: else fi
  fi;
  if
  :: up[s] && state[s] == seized && waited[s] < WAIT ->
       waited[s]++;
       if
       :: fast[s] && waited[s] < WAIT -> waited[s]++; fast[s] = 0
       :: true
       fi
  :: else
  fi
}

/* Time passes only when every watchdog that is due has acted: a watchdog that fails is not survived. */
proctype clock() {
end:
  do
  :: atomic { (up[0] && lease[0] && !left[0] || up[1] && lease[1] && !left[1]) == 0 &&
                (left[0] || left[1] || asked[0] || asked[1] || state[0] == seized || state[1] == seized) ->
       tick(0); tick(1) }
  od
}

/* Everything that may go wrong; what was broken may be mended at any time. */
proctype misfortune() {
end:
  do
  :: atomic { fails && link_pc -> link_pc = 0; counted }
  :: atomic { fails && link_pt -> link_pt = 0; counted }
  :: atomic { fails && link_ct -> link_ct = 0; counted }
  :: atomic { !link_pc -> link_pc = 1 }
  :: atomic { !link_pt -> link_pt = 1 }
  :: atomic { !link_ct -> link_ct = 1 }
  :: atomic { fails && up[0] -> up[0] = 0; stop(0); asked[0] = 0; answer[0] = 0; forget(0); counted }
  :: atomic { !up[0] -> up[0] = 1 }
  :: atomic { fails && !hung[0] -> hung[0] = 1; counted }
  :: atomic { hung[0] -> hung[0] = 0 }
  :: atomic { fails && state[0] == seized -> forget(0); counted }
  :: atomic { fails && up[1] -> up[1] = 0; stop(1); asked[1] = 0; answer[1] = 0; forget(1); counted }
  :: atomic { !up[1] -> up[1] = 1 }
  :: atomic { fails && !hung[1] -> hung[1] = 1; counted }
  :: atomic { hung[1] -> hung[1] = 0 }
  :: atomic { fails && state[1] == seized -> forget(1); counted }
  od
}

init { atomic { promoted_at[1] = PROVINCE + 1;
  run agent(0); run agent(1); run controller(0); run controller(1); run clock(); run misfortune() } }
