import { once } from '../model/once.ts';

/**
 * Words that carry grammar and no subject, by language: closed classes (articles, pronouns, conjunctions,
 * auxiliaries, question words, the shortest prepositions) as they look after `fold` of words.ts. What is also the
 * everyday name of a thing in its own language is left out. English prepositions of place, time and company stay
 * words: leaving them out made finding worse.
 */
const lists: readonly string[] = [
  // English
  `a an the this that these those i me my mine we us our ours you your yours he him his she her hers it its they
   them their theirs who whom whose which what when where why how am is are was were be been being do does did
   doing done have has had having will would shall should can could may might must of in on at to for from by
   as and or but nor so if than then because while
   not no any some there here also just too very s t d ll m re ve don didn doesn isn aren wasn weren hasn haven
   hadn won wouldn couldn shouldn please tell`,
  // Spanish
  `el la los las un una unos unas lo de del al a en con por para sin sobre entre desde hasta y e o u pero ni que si
   no como cuando donde quien quienes cual cuales cuanto yo tu me te se le les nos mi mis su sus es son era eran
   fue fueron ser estar esta este esto estas estos esa ese eso ha han he hay muy ya tambien mas`,
  // French
  `le la les l un une des de du d a au aux en dans par pour sur sous avec sans entre et ou mais ni que qu qui quoi
   dont quand comment pourquoi quel quelle quels quelles je j tu il elle on nous vous ils elles me m te t se s lui
   leur mon ma mes ton ta tes son sa ses notre nos votre vos ce cet cette ces c est sont etait etaient etre ete ai
   as a ont avait avoir ne n pas y tres aussi plus`,
  // German; "ß" and umlauts are folded.
  `der die das den dem des ein eine einen einem einer eines und oder aber nicht kein keine ich du er sie es wir ihr
   mich mir dich dir ihn ihm ihnen uns euch mein meine dein deine sein seine ihre ihren unser wer wen wem was wann
   wo wie warum welche welcher welches ist sind war waren bin bist sei hat haben hatte hatten habe wird werden wurde
   wurden kann konnte soll muss in im an am auf aus bei beim mit nach von vom vor zu zum zur fur uber unter um durch
   gegen ohne als wenn dass ob auch noch nur schon so sich hast machte macht`,
  // Portuguese
  `o a os as um uma uns umas de do da dos das em no na nos nas ao aos por pelo pela para com sem sobre entre e ou
   mas que se nao como quando onde quem qual quais eu tu ele ela nos eles elas voce me te lhe meu minha seu sua
   este esta isto esse essa isso e sao era eram foi foram ser estar tem ha ja tambem muito mais`,
  // Italian
  `il lo la i gli le l un uno una di del dello della dei degli delle a al allo alla ai agli alle da dal dalla in nel
   nella nei con su sul sulla per tra fra e ed o ma che chi cui come quando dove perche quale quali io tu lui lei
   noi voi loro mi ti si ci vi mio mia suo sua questo questa questi quello quella e sono era erano essere stato ha
   hanno aveva non anche piu molto`,
  // Dutch
  `de het een en of maar niet geen ik je jij u hij zij ze het wij we jullie mij me jou hem haar ons hun mijn jouw zijn
   haar wie wat wanneer waar hoe waarom welke welk is zijn was waren ben bent heeft hebben had hadden wordt worden
   werd kan kon zal moet van in op aan met voor bij naar uit over onder door om tot te als dan dat die dit deze er
   ook nog al wel zo`,
  // Russian
  `и в во не что он на я с со как а то все она так его но да ты к у же вы за бы по только ее мне было вот от меня еще
   нет о из ему когда даже ну ли если или ни быть был была были него до вас нибудь уж вам ведь там потом себя ей мы
   они тут где есть для мои чем их том кто кого какои какая какие это этот эта эти об про при над под`,
  // Polish
  `i w we z ze na do o od po za dla przez przy pod nad a ale lub albo czy ze nie tak to ten ta te jest sa byl byla
   byli byc ja ty on ona ono my wy oni mnie mi ci go jej ich sie co kto kiedy gdzie jak dlaczego ktory ktora ktore`,
  // Turkish
  `ve veya ama ile bir bu su o ben sen biz siz onlar ne kim nerede nasil neden hangi mi mu icin gibi cok daha de da
   degil var yok`,
  // Japanese, as the runtime's dictionary cuts it
  `の は が を に へ と で も や か から まで より です ます でし まし た だ て ない する し い ある いる こと これ それ あれ この その
   あの 何 誰 いつ どこ どう なぜ どの 私 あなた ください`,
  // Chinese
  `的 了 是 在 和 与 也 都 就 不 有 我 你 他 她 它 我们 你们 他们 这 那 这个 那个 什么 什 么 们 谁 哪里 哪儿 怎么 为什么 哪个 吗 呢 吧 把 被
   对 从 到 给 想 要 会 能`,
];

const languages = once(() => lists.map((list) => new Set(list.split(/\s+/))));

/**
 * The words of a query that only hold its sentence together. One language is taken for that of the query, the one
 * that knows most of its words: "war" is a verb in German, and a subject in English.
 */
export function functionWords(words: readonly string[]): ReadonlySet<string> {
  let most = 0;
  let language: ReadonlySet<string> = new Set();
  for (const candidate of languages()) {
    const known = words.filter((word) => candidate.has(word)).length;
    if (known > most) [most, language] = [known, candidate];
  }
  return language;
}

/** English words that say nothing by being repeated. */
export const isFunctionWord = (word: string): boolean => languages()[0]?.has(word) === true;
